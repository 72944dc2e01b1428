"""Who may connect, from which page, as whom, and what they may do then."""
