"""How fast Align is, as ratios of things measured side by side on the machine at hand."""
