"""Work that builds on MMHierSeg; see README.md."""
