"""The templates. A package, so that a folder of this name elsewhere on the path cannot stand in for it."""
