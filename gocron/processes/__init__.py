"""What each child of a node does. The parent starts them; see ``gocron.supervisor``."""
