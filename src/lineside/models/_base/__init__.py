"""What a model class is made of."""
