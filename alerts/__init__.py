"""What goes out: alerts, reasons, outcomes, routing to campuses, the store."""
