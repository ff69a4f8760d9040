"""scikit-learn estimators: built, loaded from files of others, fitted, and their predictions.

=============================  ===========================================================
``building``, ``fitting``      from the name of a class to a fitted estimator
``loading``, ``stored``        estimators from files and to files; nothing of a file is run
``written_by``                 which scikit-learn wrote a file
``layout``, ``paths``          the columns that a fitted estimator takes, and in which form
``predicting``                 its predictions, in the same form as an ONNX model's
``booster_estimator``          a LightGBM, XGBoost or CatBoost model behind that interface
``onnx_estimator``             an ONNX model behind the interface of an estimator
``torch_estimator``            a program of PyTorch, asked by torch, with its ONNX form
``odd_rows``, ``parts``        rows to compare models on; the estimators inside another
=============================  ===========================================================
"""
