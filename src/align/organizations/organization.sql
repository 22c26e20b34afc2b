organization_id as id, name, features, strict, locked_until, created_at, updated_at
