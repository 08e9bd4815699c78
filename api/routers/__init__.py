"""Routes, thin: each reads its request, asks one service, and answers. One module a subject."""
