"""Whether a record may be written: types, declared rules, normal forms."""
