"""After Redis or PostgreSQL came back: compare, rebuild, open. Nothing here touches a gift while all is well."""
