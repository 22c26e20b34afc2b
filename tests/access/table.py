"""One line for every operation: the answer that is documented for every kind of key."""

from tests.access import integration_lines, key_lines, office_lines, time_lines, webhook_lines

LINES = (*integration_lines.LINES, *office_lines.LINES, *time_lines.LINES, *key_lines.LINES, *webhook_lines.LINES)
