"""`python -m train.report`: what a model's songs are like at each temperature, and which one suits it.

From outside, import `cli`, and `figures` (what a report holds).
"""
