# What end-to-end tests share: a world to run the program in, trees with everything in them, a look into homes.
