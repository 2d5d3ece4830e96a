# What `vlmcar.__getattr__` imports when it is asked for, for type checkers.
from vlmcar.library.generating import generate as generate
from vlmcar.library.given import GivenTask as GivenTask
from vlmcar.library.programs import load as load
from vlmcar.library.sb3 import CodeRewardVecEnv as CodeRewardVecEnv
from vlmcar.library.single import CodeReward as CodeReward
from vlmcar.library.single import FrameInfo as FrameInfo
from vlmcar.library.vector import CodeRewardVectorEnv as CodeRewardVectorEnv
from vlmcar.library.verifying import verify as verify
from vlmcar.program.sandbox import Sandbox as Sandbox
from vlmcar.reward.bonus import Bonus as Bonus
from vlmcar.reward.potential import Potential as Potential
from vlmcar.share import pull as pull
from vlmcar.share import push as push
from vlmcar.types import VLM as VLM
from vlmcar.types import Check as Check
from vlmcar.types import ConfigError as ConfigError
from vlmcar.types import Judge as Judge
from vlmcar.types import Program as Program
from vlmcar.types import SubTask as SubTask
from vlmcar.types import Task as Task
from vlmcar.types import Trajectory as Trajectory
from vlmcar.types import Verdict as Verdict
from vlmcar.types import VlmcarError as VlmcarError
from vlmcar.verification.store import StoredProgram as StoredProgram

__version__: str
