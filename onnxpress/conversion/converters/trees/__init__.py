"""Trees, forests and boosting: scikit-learn's nodes as arrays, written into the tree operators."""
