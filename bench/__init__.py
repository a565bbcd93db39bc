"""Speed and memory, side by side with what people use today: ``python -m bench``. Not part of the package."""
