id, organization_id, name, prefix, scope, scoped_project_id, permissions, source_binding, rate_limit_per_minute,
created_by_user_id, created_at, expires_at, revoked_at, previous_valid_until, last_used_at
