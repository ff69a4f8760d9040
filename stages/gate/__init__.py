"""The limits that the models must keep to be published."""
