"""What `floe ci` is made of: the job, its marks in the log, its JUnit report, keys for caches."""
