module mlflow-ai-gateway/bindings/go

go 1.19
