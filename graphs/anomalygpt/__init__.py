"""AnomalyGPT as a judge: it hears an anomaly map and says yes or no in words, without any threshold."""
