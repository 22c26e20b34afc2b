id, organization_id, destination_url, event_names, description, enabled, disabled_reason, failing_since,
previous_secret_valid_until, created_by_user_id, created_at, updated_at
