"""Files of songs → clean, distinct, split, encoded songs. No torch here.

From outside, import `load` (the whole way), `encoded` (songs as token ids) and `facts` (what was counted).
"""
