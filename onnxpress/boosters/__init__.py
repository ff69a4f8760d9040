"""Models of LightGBM, XGBoost and CatBoost: their native files read, and asked by the libraries.

=====================  ===================================================================
``model``              the common form that every reader makes, and its checks
``readers``            which reader and which file belongs to a library
``libraries``          the libraries' own predictions; the only module that imports them
``lightgbm_text``      the text format of LightGBM, with ``lightgbm_header``, ``_objective``,
                       ``_categories`` and ``_linear``
``catboost_cbm``       CatBoost's format, with ``catboost_file`` (by ``flat_buffer``), ``_parts``,
                       ``_categories`` (hashed by ``city_hash``), ``_statistics``, ``_splits``,
                       ``_trees`` and ``_losses``
``xgboost_json``       the JSON and UBJSON of XGBoost, with ``ubjson``, ``xgboost_document``,
                       ``_objectives``, ``_trees`` and ``_categories``
=====================  ===================================================================
"""
