"""What runs beside the experiment: the pool of agents and the attempts of jobs."""
