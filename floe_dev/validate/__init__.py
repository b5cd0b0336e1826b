"""The platform's own checklist: is this project, and the stack that runs it, as the platform's rules want them?"""
