"""Tools of the deployment: secrets, the monthly budget, the trial of a whole cluster."""
