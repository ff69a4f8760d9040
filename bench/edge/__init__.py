"""Models as C, WebAssembly and SQL: equal answers on random models, and sizes and times."""
