"""Queries: conditions, orders, pages (as ActiveRecord::Relation)."""
