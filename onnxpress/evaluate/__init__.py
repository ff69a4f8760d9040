"""Compare the three models: their scores, how far they agree, and probe rows where they might not.

``evaluation``            all of it: three models and the test rows in, metrics and lines out
``metrics_detail``        the content of metrics_detail.json
``deciding_rows``         the test rows on which the quantised model's score depends
``predicted_rows``        rows with the predictions of all three models, and predictions.csv
``metrics``               the content of metrics.json
``scoring``               the scores by which the models are compared, as params name them
``score_metrics``         what each model scores
``loss_metrics``          what the quantised model loses, with standard errors
``loss_lines``            that in words: bounds, rows that decide, probabilities that got worse
``agreement``             which share of rows two models predict alike, and how far they differ
``baseline``              warns of a model that a constant beats
``score_differences``     how far a converted model's scores are from the original's
``relative_differences``  the tolerance for that, and differences relative to their size
``original_rounding``     rows on which the original's own rounding explains a difference
``lossless_check``        a lossless model must predict as the ONNX model does
``lossless_differences``  the rows on which it does not
``inner_tensors``         computes tensors inside a model
``row_dependence``        whether the prediction for a row depends on the other rows of the call
``lines``                 the findings in words
``probes/``               makes the probe rows
"""
