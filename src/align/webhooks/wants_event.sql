-- Whether the webhook `w` asked for the event `e`: by its name, or by its family, as in time.*
e.event_name = any (w.event_names) or split_part(e.event_name, '.', 1) || '.*' = any (w.event_names)
