# Every public name, once, grouped by the notebook that teaches it.

__version__: str
__all__: list[str]

# 00 Start here
# 06 The MNIST baseline
from .digits.mnist import load_dataset as load_dataset
from .digits.mnist import prep_pixels as prep_pixels
from .evaluation.baseline import define_model as define_model
from .evaluation.cross_validation import cross_validate as cross_validate
from .evaluation.cross_validation import evaluate_model as evaluate_model
from .evaluation.state import CrossValidation as CrossValidation
from .evaluation.summaries import plot_folds as plot_folds
from .evaluation.summaries import summarize_diagnostics as summarize_diagnostics
from .evaluation.summaries import summarize_performance as summarize_performance
from .harness import run_test_harness as run_test_harness
from .layers.arithmetic import conv_multiply_adds as conv_multiply_adds

# 02 Every option
from .layers.arithmetic import conv_output_length as conv_output_length
from .layers.arithmetic import conv_output_shape as conv_output_shape
from .layers.arithmetic import conv_params as conv_params
from .layers.arithmetic import pool_output_shape as pool_output_shape
from .layers.arithmetic import receptive_field as receptive_field

# 04 Conv2D
from .layers.batch_axes import apply_over_batch_axes as apply_over_batch_axes
from .layers.convolution import conv_padding as conv_padding

# 01 Convolution by hand
from .layers.convolution import convolve as convolve
from .layers.drawings import plot_connections as plot_connections
from .layers.drawings import plot_convolution as plot_convolution
from .layers.drawings import plot_groups as plot_groups
from .layers.drawings import plot_paddings as plot_paddings
from .layers.explorer import explore_convolution as explore_convolution
from .layers.model_table import model_table as model_table
from .machine import check_machine as check_machine
from .picture import Picture as Picture
from .plots import plot_digits as plot_digits
from .plots import plot_maps as plot_maps

# 03 Conv1D
from .plots import plot_signals as plot_signals
