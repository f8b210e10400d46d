"""What several tests use: scripted parts, fakes of drivers and servers, faults, and what is compared."""
