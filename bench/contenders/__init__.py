"""The programs compared. Each runs as it would in production, in processes of its own."""
