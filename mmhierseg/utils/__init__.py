"""What the programs under ``tools`` share; not imported with the package."""
