"""Schema migrations (Alembic); run by ``gocron.db.migrate`` under a database lock."""
