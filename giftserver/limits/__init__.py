"""What people may spend: their own limits, those of a guardian, and the law's on age."""
