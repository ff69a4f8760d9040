"""Convert models of LightGBM, XGBoost and CatBoost."""
