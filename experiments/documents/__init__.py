"""Documents that people write and read: YAML, diagnostics, quantities, numerals, files."""
