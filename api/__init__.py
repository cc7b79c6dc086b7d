"""HTTP, server-sent events, the page, and every delivery out."""
