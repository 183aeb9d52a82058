"""What measures packs: a process of its own, who looks after it, and groups of packs that travel to other machines."""
