"""The part of Polaris's management API that provisioning uses: catalogs, principals, roles, grants."""
