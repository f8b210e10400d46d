"""Parts for any training with PyTorch, with or without another framework.

>>> from torch import nn
>>> from torch.optim.swa_utils import AveragedModel
>>> from green_callbacks.torch import recent_average
>>> averaged = AveragedModel(nn.Linear(4, 1), multi_avg_fn=recent_average(), use_buffers=True)
"""

from green_callbacks._frameworks.torch.recent_average import recent_average

__all__ = ["recent_average"]
