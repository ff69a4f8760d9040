"""What watches a served model: Prometheus's files and a dashboard for Grafana."""
