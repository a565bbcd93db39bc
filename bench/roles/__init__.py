"""What a measured process does: each module's ``run`` is one role. The parent never imports them."""
