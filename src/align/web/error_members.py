"""What the bodies of refusals say beside `error`, `message` and `requestId`, by code: for the OpenAPI document."""

# What a refusal's body says beside `error`, `message` and `requestId`.
MEMBERS_OF_CODE: dict[str, dict[str, object]] = {
    "validation_error": {"details": {"minItems": 1}},
    "unknown_event_names": {
        "invalid": {"type": "array", "items": {"type": "string"}},
        "known": {"type": "array", "items": {"type": "string"}},
    },
    "payment_required": {"reason": {"const": "feature_disabled"}, "feature": {"const": "time_tracking"}},
    "scope_violation": {"requiredScope": {"const": "organization"}, "scope": {"const": "project"}},
    "permission_violation": {"requiredPermission": {"type": "string"}},
    "role_violation": {
        "role": {"type": "string"},
        "requiredRoles": {"type": "array", "items": {"type": "string"}},
    },
    "source_violation": {"sourceBinding": {"type": "string"}},
    "period_locked": {"lockedUntil": {"type": "string", "format": "date"}},
    "invalid_transition": {
        "from": {"type": "string"},
        "action": {"type": "string"},
        "allowedActions": {"type": "array", "items": {"type": "string"}},
    },
    "already_exists": {"path": {"type": "string", "description": "The member at fault."}},
    "external_ref_conflict": {"path": {"type": "string", "description": "The member at fault."}},
    "link_protected": {"path": {"const": "id", "description": "In the path."}},
    "last_admin": {"path": {"enum": ["role", "active"], "description": "The member at fault."}},
    "key_ended": {"path": {"const": "id", "description": "In the path."}},
    "too_many_webhooks": {"path": {"const": "", "description": "No member is at fault."}},
    "project_archived": {"path": {"const": "projectId", "description": "The member that names the project."}},
    "payload_too_large": {"maximumBytes": {"type": "integer"}},
    "rate_limit": {"retryAfterSeconds": {"type": "integer", "minimum": 1}},
    "batch_rejected": {
        "created": {"const": 0},
        "existing": {"const": 0},
        "failed": {"type": "integer", "minimum": 1, "description": "All members."},
        "results": {
            "type": "array",
            "description": "In the order of the request; status 424 for members that are not at fault.",
            "items": {"$ref": "#/components/schemas/SyncResult"},
        },
    },
}

EXAMPLES_OF_MEMBERS: dict[str, dict[str, object]] = {
    "unknown_event_names": {"invalid": ["tme.approved"], "known": ["time.approved", "time.rejected"]},
    "payment_required": {"reason": "feature_disabled", "feature": "time_tracking"},
    "scope_violation": {"requiredScope": "organization", "scope": "project"},
    "permission_violation": {"requiredPermission": "write:time_entries"},
    "role_violation": {"role": "developer", "requiredRoles": ["admin", "manager"]},
    "source_violation": {"sourceBinding": "jira"},
    "period_locked": {"lockedUntil": "2025-01-31"},
    "invalid_transition": {"from": "draft", "action": "approve", "allowedActions": ["submit"]},
    "already_exists": {"path": "email"},
    "external_ref_conflict": {"path": "externalRef"},
    "link_protected": {"path": "id"},
    "last_admin": {"path": "role"},
    "key_ended": {"path": "id"},
    "too_many_webhooks": {"path": ""},
    "project_archived": {"path": "projectId"},
    "payload_too_large": {"maximumBytes": 65536},
    "rate_limit": {"retryAfterSeconds": 7},
    "batch_rejected": {
        "created": 0,
        "existing": 0,
        "failed": 2,
        "results": [
            {
                "index": 0,
                "status": 424,
                "error": {"error": "batch_rejected", "message": "not stored, since another member was refused"},
            },
            {
                "index": 1,
                "status": 409,
                "error": {
                    "error": "project_archived",
                    "message": "the project is archived and takes no new time",
                    "requestId": "019aafe2-5a1c-7c3e-8f6d-2b1f0c9d8e7a",
                    "path": "projectId",
                },
            },
        ],
    },
}
