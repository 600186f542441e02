"""The texts of the dialogs: what each algorithm and each parameter is for."""
