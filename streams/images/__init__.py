"""Images of sales: how they are fetched, from a web that is not trusted."""
