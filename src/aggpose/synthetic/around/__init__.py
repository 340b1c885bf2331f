"""What is around an infant: grounds, things, covers, hands, lights, cameras."""
