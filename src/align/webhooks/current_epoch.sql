coalesce((select max(epoch) from feed_epochs), 1)
