"""What retrieval from a memory bank costs as the bank grows."""
