"""Where rows are stored: what every destination must do, the policy above it, and one module for each destination."""
