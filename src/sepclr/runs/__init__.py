"""One experiment each: its recipe, its folder, its run, and what is made of it afterwards."""
