"""Exported files and what is known of them: precision, formats, certificates."""
